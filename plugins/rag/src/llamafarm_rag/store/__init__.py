"""Where vectors are kept. Kinds are found through the entry points `llamafarm_rag.stores`."""
