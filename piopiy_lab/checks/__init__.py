"""What every room may check: arguments, and the thread that code runs on."""
