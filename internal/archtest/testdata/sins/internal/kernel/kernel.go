package kernel // want "the package has no comment"

// Zero is none.
const Zero = 0
