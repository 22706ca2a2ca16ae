"""The only places that touch databases, MLflow and other outside worlds."""
