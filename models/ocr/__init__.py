"""The model `ocr`."""
