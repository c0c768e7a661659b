//! Files of the firmware folder that are no app image, named as what they are.
