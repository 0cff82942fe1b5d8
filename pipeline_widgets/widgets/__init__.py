"""The views of a notebook. Only this part knows ipywidgets: state goes down as traits, commands come up."""
