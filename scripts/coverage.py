"""Do intervals cover what they say, and do groups err as seldom as they say?

    python scripts/coverage.py [--quick | --full] [--out FILE]

What is simulated stands in coverage_simulation.py.
"""

if __name__ == "__main__":
    from coverage_simulation import main

    main()
elif __name__ != "__mp_main__":  # which is what its own processes call it
    # numba, behind shap, looks for the package of this name and takes this file, which stands beside the
    # scripts that import shap; told that there is none, it goes on without.
    raise ImportError("scripts/coverage.py is a script, not the package coverage")
