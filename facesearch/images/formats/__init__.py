"""Reading each format of pictures: what Pillow reads wrongly, or not at all, is read here."""
