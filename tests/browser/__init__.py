"""Tests in a real JupyterLab and a real browser, and the stand that they run on."""
