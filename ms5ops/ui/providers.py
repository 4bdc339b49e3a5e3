"""Which ways there are to sign in: an identity provider where Streamlit's secrets name one, or local accounts."""

from functools import cache

import streamlit as st
from streamlit.auth_util import get_origin_from_redirect_uri

from ms5ops.config import load_settings


@cache
def has_identity_provider() -> bool:
    """Whether ``[auth]`` is configured in .streamlit/secrets.toml, so that st.login works; as the console started."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


@cache
def address() -> str:
    """Where people open the console to sign in through the provider (``https://ops.example``); nothing without one."""
    return get_origin_from_redirect_uri() or "" if has_identity_provider() else ""


def has_local_accounts() -> bool:
    """Whether a name and a password are accepted: as ``[access] local_accounts`` says, or without a provider."""
    chosen = load_settings().access.local_accounts
    return not has_identity_provider() if chosen is None else chosen
