"""JSON bodies as msgspec Structs, one file per feature; wire names are camelCase."""
