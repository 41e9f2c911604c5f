"""The functions that models offer to exports."""
