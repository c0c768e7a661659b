//! Faults of the machine itself: its log, its clock, its folders.
