-- name: put_evaluation
-- about: Keep that an environment was evaluated.
-- params: environment, origin, at, judged, not_judged, figures
-- columns: none
-- budget_ms: 20
INSERT INTO evaluation (environment, origin, at, evaluations, judged, not_judged, figures)
VALUES (:environment, :origin, :at, 1, :judged, :not_judged, :figures)
ON CONFLICT (environment) DO UPDATE SET origin = excluded.origin, at = excluded.at, evaluations = evaluations + 1,
    judged = excluded.judged, not_judged = excluded.not_judged, figures = excluded.figures
