"""What users fit."""
