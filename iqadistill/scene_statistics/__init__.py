"""Natural scene statistics of flat images, and the two published methods that score images by them."""
