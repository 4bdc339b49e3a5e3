-- name: evaluations
-- about: The last evaluation of each environment.
-- columns: environment text; origin text; at text; evaluations count; judged count; not_judged json; figures json
-- budget_ms: 20
SELECT environment, origin, at, evaluations, judged, not_judged, figures
FROM evaluation
ORDER BY environment
