//! Output of the subcommands on terminals, in pipes, and for programs.
