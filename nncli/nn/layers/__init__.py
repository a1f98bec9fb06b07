"""The layers, one file per family; `Layer` is the union of them, by which YAML names them."""

from nncli.nn.layers.residual import Layer as Layer
