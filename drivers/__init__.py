"""One file per kind of hardware behind one small contract per kind; each has a fake with physics."""
