"""What people see: the only package, beside pages/ and streamlit_app.py, that imports streamlit."""
