"""Events from the broker: sources, the decoder, and the one fan-out behind them."""
