"""`python -m vgpu_migrate` is `vgpu-migrate`."""

from vgpu_migrate.cli.main import main

if __name__ == "__main__":
    main()
