"""What the text engine needs of models that read pictures or sounds beside texts."""
