"""How an algorithm is declared and what its train function sees; the embedded numpy trainers."""
