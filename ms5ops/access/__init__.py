"""Who somebody is and what they may do: roles, permissions, accounts, sign-in, the audit log."""
