"""Pure rules: values, events, states and the decisions between them. No clock, dice, I/O."""
