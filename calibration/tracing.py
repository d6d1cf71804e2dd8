"""From a torch module to ONNX nodes: torch.fx records what the module calls, and each call is one node. Needs `export`.

torch's own exporter reasons about every size for minutes (a DenseNet-201: four) and names things by its version. These
networks need ten operators, which are written out here: in seconds, alike with every torch, and free in batch and size.
"""

import operator
from collections.abc import Callable
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper

_OPSET, _IR = 18, 10  # what ONNX Runtime 1.20 and later read
_PLAIN = {operator.add: "Add", operator.iadd: "Add", operator.sub: "Sub", operator.truediv: "Div"}
_LEAVES = (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.ReLU, torch.nn.ReLU6, torch.nn.MaxPool2d, torch.nn.AvgPool2d)


class _Tracer(torch.fx.Tracer):  # type: ignore[misc] # torch is not installed where types are checked
    """Looks into everything but the layers that have a node of their own, subclasses of them included."""

    def is_leaf_module(self, module: Any, _name: str) -> bool:
        """Tell whether a module becomes one node."""
        return isinstance(module, _LEAVES)


class _Writer:
    """Writes the nodes of a traced module, in its order."""

    def __init__(self, module: Any, outputs: list[str]) -> None:
        self.graph = _Tracer().trace(module)
        self.modules, self.state = dict(module.named_modules()), module.state_dict()
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        (returned,) = (node.args[0] for node in self.graph.nodes if node.op == "output")
        self.named = dict(zip(returned, outputs, strict=True))  # what a traced value is called in ONNX

    def write(self) -> None:
        """Write all nodes."""
        kinds: dict[str, Callable[[Any], None]] = {
            "call_module": self._layer, "call_function": self._function, "call_method": self._call, "get_attr": self._buffer,
        }  # fmt: skip
        for node in self.graph.nodes:
            if node.op in kinds:
                kinds[node.op](node)

    def _emit(self, kind: str, node: Any, inputs: list[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [self._name(node)], **attributes))

    def _name(self, node: Any) -> str:
        name: str = self.named.setdefault(node, node.name)
        return name

    def _constant(self, name: str, values: torch.Tensor) -> str:
        self.constants[name] = numpy_helper.from_array(values.detach().numpy(), name)
        return name

    def _buffer(self, node: Any) -> None:
        self.named[node] = self._constant(node.target, self.state[node.target])

    def _call(self, node: Any) -> None:
        source = self._name(node.args[0])
        if node.target == "permute":
            self._emit("Transpose", node, [source], perm=list(node.args[1:]))
        elif node.target == "float":
            self._emit("Cast", node, [source], to=onnx.TensorProto.FLOAT)
        else:
            raise NotImplementedError(f"tensors' method {node.target} has no ONNX node here; add it")

    def _function(self, node: Any) -> None:
        if node.target is torch.cat:
            self._emit("Concat", node, [self._name(part) for part in node.args[0]], axis=node.args[1])
        elif node.target in _PLAIN:
            self._emit(_PLAIN[node.target], node, [self._name(part) for part in node.args])
        else:
            raise NotImplementedError(f"the function {node.target} has no ONNX node here; add it")

    def _layer(self, node: Any) -> None:
        module, source = self.modules[node.target], self._name(node.args[0])
        match module:
            case torch.nn.Conv2d():
                if not _norm_after(node, self.modules):
                    self._convolve(node, source, node.target, module.weight, module.bias)
            case torch.nn.BatchNorm2d():
                self._norm(node, source, module)
            case torch.nn.ReLU6():
                limits = (self._constant(name, torch.tensor(at)) for name, at in (("least", 0.0), ("most", 6.0)))
                self._emit("Clip", node, [source, *limits])
            case torch.nn.ReLU():
                self._emit("Relu", node, [source])
            case torch.nn.MaxPool2d():
                self._emit("MaxPool", node, [source], **_window(module))
            case torch.nn.AvgPool2d():
                self._emit("AveragePool", node, [source], **_window(module))

    def _norm(self, node: Any, source: str, norm: Any) -> None:
        """Fold a batch norm into the convolution before it where that feeds nothing else; else write it as it is."""
        before = node.args[0]
        if before.op == "call_module" and _norm_after(before, self.modules) is node:
            conv = self.modules[before.target]
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            at_zero = 0 if conv.bias is None else conv.bias
            weight, bias = conv.weight * gain[:, None, None, None], (at_zero - norm.running_mean) * gain + norm.bias
            self._convolve(node, self._name(before.args[0]), before.target, weight, bias)
            return
        values = {"weight": norm.weight, "bias": norm.bias, "mean": norm.running_mean, "var": norm.running_var}
        names = [self._constant(f"{node.target}.{name}", value) for name, value in values.items()]
        self._emit("BatchNormalization", node, [source, *names], epsilon=norm.eps)

    def _convolve(self, node: Any, source: str, target: str, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        conv = self.modules[target]
        names = [self._constant(f"{target}.weight", weight)]
        if bias is not None:
            names.append(self._constant(f"{target}.weight_bias", bias))
        shape = {"kernel_shape": list(conv.kernel_size), "strides": list(conv.stride), "pads": _pads(conv)}
        self._emit("Conv", node, [source, *names], group=conv.groups, dilations=list(conv.dilation), **shape)


def to_onnx(module: Any, channels: dict[str, int]) -> Any:
    """ONNX model of a module from uint8 `pixels` [B,H,W,3]; outputs by name, float32 [B,channels,h,w], batch norms folded."""
    writer = _Writer(module, list(channels))
    with torch.no_grad():
        writer.write()
    pixels = helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["batch", "rows", "columns", 3])
    outputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", count, f"h_{i}", f"w_{i}"])
        for i, (name, count) in enumerate(channels.items())
    ]
    graph = helper.make_graph(writer.nodes, "backbone", [pixels], outputs, list(writer.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)


def _norm_after(node: Any, modules: dict[str, Any]) -> Any:
    """Return the batch norm that is all that a convolution feeds, None if there is none."""
    users = list(node.users)
    alone = len(users) == 1 and users[0].op == "call_module" and isinstance(modules[node.target], torch.nn.Conv2d)
    return users[0] if alone and isinstance(modules[users[0].target], torch.nn.BatchNorm2d) else None


def _pads(conv: Any) -> list[int]:
    """Top, left, bottom, right; the lites keep theirs beside the convolution, one-sided."""
    rows, columns = conv.padding
    left, right, top, bottom = getattr(getattr(conv, "static_padding", None), "padding", (0, 0, 0, 0))
    return [rows + top, columns + left, rows + bottom, columns + right]


def _window(pool: Any) -> dict[str, Any]:
    side, step, pad = (
        value if isinstance(value, tuple) else (value, value) for value in (pool.kernel_size, pool.stride, pool.padding)
    )
    return {"kernel_shape": list(side), "strides": list(step), "pads": [*pad, *pad]}
