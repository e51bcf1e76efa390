"""``python -m ecom_platform``, the same as ``ecom``."""

from ecom_platform.cli import main

if __name__ == "__main__":
    main()
