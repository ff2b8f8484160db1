"""A program for mpiexec: the ranks add up their numbers, and each prints its host.

It calls MPICH's library directly, so that it needs neither a compiler nor mpi4py. Arguments: the seconds to
sleep in the middle, and the exit code.
"""

import ctypes
import ctypes.util
import sys
import time

# As in MPICH's ABI (https://www.mpich.org/abi/).
COMM_WORLD = ctypes.c_int(0x44000000)
INT = ctypes.c_int(0x4C000405)
SUM = ctypes.c_int(0x58000003)


def main(seconds: float = 0.0, exit_code: int = 0) -> int:
    mpi = ctypes.CDLL(ctypes.util.find_library("mpich") or "libmpich.so.12")
    mpi.MPI_Init(None, None)
    rank, size, total, length = (ctypes.c_int() for _ in range(4))
    host = ctypes.create_string_buffer(256)
    mpi.MPI_Comm_rank(COMM_WORLD, ctypes.byref(rank))
    mpi.MPI_Comm_size(COMM_WORLD, ctypes.byref(size))
    mpi.MPI_Get_processor_name(host, ctypes.byref(length))
    mpi.MPI_Allreduce(ctypes.byref(rank), ctypes.byref(total), 1, INT, SUM, COMM_WORLD)
    sys.stdout.write(f"{rank.value}/{size.value} on {host.value.decode()}, total {total.value}\n")
    sys.stdout.flush()
    time.sleep(seconds)
    mpi.MPI_Finalize()
    return exit_code


if __name__ == "__main__":
    sys.exit(main(float([*sys.argv, 0][1]), int([*sys.argv, 0, 0][2])))
