"""Remote control: what the workers answer when they are asked."""
