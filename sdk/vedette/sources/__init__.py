"""Where frames come from: cameras, streams and files, opened by URI."""
