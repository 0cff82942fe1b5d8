"""What a notebook shows. The only part that knows ipywidgets: state goes down as traits, commands come up."""
