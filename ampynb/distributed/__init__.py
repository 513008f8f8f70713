"""Work shared between processes, threads, MPI ranks and devices."""
