-- When what an approval was for began: it is good for once.
ALTER TABLE approval ADD COLUMN used_at TEXT;
