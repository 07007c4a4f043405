"""Tenants over several logs."""
