"""The embedded simulated fleet, as package data."""
