"""What the compressors have in common that leave out lines."""
