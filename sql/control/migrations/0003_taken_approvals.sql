-- For which beginning of a deployment, or of its way back, an approval was taken; once that stands in the database's
-- journal, used_at says when. One that was taken for what never began may be taken again.
ALTER TABLE approval ADD COLUMN taken_for TEXT;
