"""The rollout of a policy set: plan, apply, verify, roll back. A plan is data; everything else renders it."""
