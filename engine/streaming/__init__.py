"""What is fitted live, sent to other programs: VMC, Live Link Face, a virtual camera."""
