"""Files written whole, archives of arrays, memory and progress."""
