"""The five phases: pure functions from the actual state and the policy to operations and notes."""
