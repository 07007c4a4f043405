"""Tenants over several logs: which logs belong together, who is at home where, and the engine over all of them."""
