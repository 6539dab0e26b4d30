"""One module for each command: `HELP`, `arguments`, `run`. `main.TABLE` names them."""
