"""Two runs at once, each with its own apps."""

from parsl import Config, ThreadPoolExecutor, python_app
from parsl.dataflow.dflow import DataFlowKernel

kernels = [DataFlowKernel(Config(executors=[ThreadPoolExecutor(label=f"e{i}")])) for i in range(2)]
for kernel in kernels:

    @python_app(data_flow_kernel=kernel)
    def one():
        return 1

    print(one().result(), [other.task_count for other in kernels])
for kernel in kernels:
    kernel.cleanup()

# prints:
# 1 [1, 0]
# 1 [1, 1]
