"""The compiled backend: a C core for networks in float32."""
