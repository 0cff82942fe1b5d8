"""Read what other tools have left: Hugging Face, Stable-Baselines3, RL-Zoo, TensorBoard, Trackio.

Nothing is unpickled here, and nothing is written: what only its library can open stays closed.
"""
