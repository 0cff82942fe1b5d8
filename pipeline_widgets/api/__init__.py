"""Thin handles that a user holds. They delegate to the services and hold no rule."""
