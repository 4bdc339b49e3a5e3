"""The console's entry: ``streamlit run streamlit_app.py``, ``uvicorn streamlit_app:app`` or ``make run``.

An st.App whose script lies in ms5ops/ui, not here beside pages/: Streamlit serves a pages/ folder that lies
next to the script by itself, around the script, until some session has run it (docs/adr/0003).
"""

import streamlit as st

from ms5ops.ui.http import LIFESPAN, MIDDLEWARE, ROUTES
from ms5ops.ui.messages import show_defect

app = st.App(
    "ms5ops/ui/navigation.py", routes=ROUTES, middleware=MIDDLEWARE, lifespan=LIFESPAN, on_script_error=show_defect
)

if __name__ == "__main__":
    app.run()
