"""From a Program to loops: which equations share a loop nest, where values live, what one element costs."""
