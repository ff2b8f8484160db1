"""``parsl top``: what is shown, as data, as text, and on the screen."""
