"""The broker's queues: how many messages wait, how many consumers there are."""
